/** How the program ends. */

/** Exit statuses (docs/architecture.md): what each ending means to a script. */
export const STATUS = { done: 0, failed: 1, badInput: 2, somethingToDo: 3, unproven: 4, locked: 5 } as const;
