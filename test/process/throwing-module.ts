// A module that cannot be loaded: for the command that looks for an app in it.
throw new Error('the module of the app throws')
