import { Heap } from 'miheap';

// Needs the types of `using`, which lib esnext.disposable and the types of Node have.
using heap = new Heap();
const disposable: Disposable = heap;

export { disposable };
