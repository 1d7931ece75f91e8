// How the command line knows an app of this version, though it may come from another copy.

/** Says to another copy of this package what it may expect of a runner. */
export const runnerProtocol = 1
