// Our own codecs against the exported suite.
import { binary, json, pipe, raw, string } from '../core/codec.ts'
import { codecConformance } from './codec.ts'

const texts = ['', 'plain', 'größe 日本語 🚀', 'x'.repeat(10_000)]
const jsonValues = [null, true, 0, -1.5, 'text', [], {}, { a: [1, { b: null }], ü: '🚀' }]
const someBytes = [[], [0], [255, 0, 128, 10]].map((bytes) => Uint8Array.from(bytes))
const broken = ['', '{', '{"a":1', 'nonsense'].map((text) => Buffer.from(text))
const unsafe = ['{"__proto__":{"a":1}}', '{"a":{"constructor":{"prototype":{}}}}']

codecConformance({
  name: 'json',
  codec: json,
  values: jsonValues,
  unreadable: [...broken, ...unsafe.map((text) => Buffer.from(text))],
  unwritable: [undefined, () => undefined]
})

codecConformance({ name: 'string', codec: string, values: texts })

codecConformance({ name: 'raw', codec: raw, values: someBytes })

codecConformance({
  name: 'binary',
  codec: binary,
  values: someBytes,
  unreadable: [Buffer.from('no base64!')]
})

codecConformance({
  name: 'json in base64',
  codec: pipe(json, binary),
  values: jsonValues,
  unreadable: [Buffer.from('e30!'), Buffer.from('nonsense')],
  unwritable: [undefined]
})
