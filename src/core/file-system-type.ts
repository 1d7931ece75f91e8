// What a file system is, by the number that statfs gives: locks cannot be trusted on all of them.

export interface FileSystemType {
  /** Its common name, or the number in hexadecimal when it is not in the table. */
  readonly name: string
  /** True when other machines can have it mounted: a lock taken here may not hold there. */
  readonly isNetwork: boolean
}

/**
 * Names the file system behind a `type` of Node's `statfs`.
 *
 * The numbers are Linux's (statfs(2), linux/magic.h). macOS numbers its file systems as they are
 * loaded and Windows gives 0: there every answer is "unknown, not a network", so a refusal is
 * always right and an acceptance only as good as the platform.
 */
export function fileSystemType(type: number): FileSystemType {
  // 32-bit systems give the upper half as negative numbers.
  const magic = type < 0 ? type + 2 ** 32 : type
  const network = networkTypes.get(magic)
  if (network !== undefined) return { name: network, isNetwork: true }
  return { name: localTypes.get(magic) ?? `0x${magic.toString(16)}`, isNetwork: false }
}

// Folders that a virtual machine shares with its host count as network: the host's programs do
// not see the guest's locks. FUSE and 9p stand below although sshfs and WSL's /mnt/c hide behind
// them, because containers put their ordinary root on them too (virtiofs, gVisor).
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'nfs'],
  [0x517b, 'smb'],
  [0xfe534d42, 'smb2'],
  [0xff534d42, 'cifs'],
  [0x564c, 'ncp'],
  [0x5346414f, 'afs'],
  [0x6b414653, 'afs'],
  [0x73757245, 'coda'],
  [0x00c36400, 'ceph'],
  [0x0bd00bd0, 'lustre'],
  [0x47504653, 'gpfs'],
  [0x01161970, 'gfs2'],
  [0x7461636f, 'ocfs2'],
  [0x786f4256, 'vboxsf'],
  [0xbacbacbc, 'vmhgfs']
])

const localTypes: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0xca451a4e, 'bcachefs'],
  [0xf2f52010, 'f2fs'],
  [0x794c7630, 'overlay'],
  [0x61756673, 'aufs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x4d44, 'fat'],
  [0x2011bab0, 'exfat'],
  [0x5346544e, 'ntfs'],
  [0x7366746e, 'ntfs3'],
  [0x52654973, 'reiserfs'],
  [0x3153464a, 'jfs'],
  [0xf15f, 'ecryptfs'],
  [0x01021997, '9p'],
  [0x65735546, 'fuse']
])
