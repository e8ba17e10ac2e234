const required = require('miheap');

import('miheap').then((imported) => {
  console.log(
    JSON.stringify({
      sameHeap: imported.Heap === required.Heap,
      names: Object.keys(imported).sort(),
    }),
  );
});
