// A module with two apps: for the command that must be told which of them is meant.
import { createApp } from 'tailrace'

export const first = createApp({ id: 'first' })
export const second = createApp({ id: 'second' })
