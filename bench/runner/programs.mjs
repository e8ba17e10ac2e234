// Programs that exist, doing what they are for. Each row either says how it is run or why it cannot be.
export function realPrograms() {
  return [
    {
      name: 'start-up',
      command: ['/bin/true'],
      count: 200,
      counts: ['time'],
      memory: 'peak',
    },
  ];
}
