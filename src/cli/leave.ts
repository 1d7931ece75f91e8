// `worker --leave`: takes a static member out of its group, when its worker will not come back.
import type { CommandContext } from './context.ts'

export async function leave({ app, isJson, print }: CommandContext): Promise<void> {
  const { group, instanceId, wasMember } = await app.runner.leave()
  if (isJson) {
    print(JSON.stringify({ group, instanceId, wasMember }))
    return
  }
  const name = JSON.stringify(instanceId)
  print(
    wasMember
      ? `${name} has left group ${JSON.stringify(group)}; its tasks move now.`
      : `${name} was not in group ${JSON.stringify(group)}.`
  )
}
