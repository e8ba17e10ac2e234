import { MessageChannel } from 'node:worker_threads';
import { Heap } from '../../lib';
import { native } from '../../lib/native';

type Detach = (buffer: ArrayBuffer) => ArrayBuffer | undefined;

/**
 * Every way in which an ArrayBuffer of ours can be detached here; each answers with the one that has the
 * memory then, if this thread has. Node refuses or copies where it cannot move external memory.
 */
export const detach: Record<string, Detach> = Object.fromEntries(
  Object.entries<Detach>({
    'the addon': (buffer) => {
      const moved = native.move(buffer);
      return ArrayBuffer.isView(moved) ? (moved.buffer as ArrayBuffer) : (moved as ArrayBuffer);
    },
    structuredClone: (buffer) => structuredClone(buffer, { transfer: [buffer] }),
    postMessage: (buffer) => {
      const { port1 } = new MessageChannel();
      port1.postMessage(buffer, [buffer]);
      port1.close();
      return undefined;
    },
    'transfer()': (buffer) => (buffer as Movable).transfer(),
    'transfer(length)': (buffer) => (buffer as Movable).transfer(1000),
    'transferToFixedLength()': (buffer) => (buffer as Movable).transferToFixedLength(),
    'ArrayBuffer.prototype.transfer': (buffer) =>
      (ArrayBuffer.prototype as Movable).transfer.call(buffer),
  }).filter(([, way]) => {
    const heap = new Heap();
    try {
      const buffer = heap.allocArrayBuffer(64);
      way(buffer);
      return buffer.byteLength === 0;
    } catch {
      return false;
    } finally {
      heap.destroy();
    }
  }),
);

interface Movable extends ArrayBuffer {
  transfer(length?: number): ArrayBuffer;
  transferToFixedLength(): ArrayBuffer;
}
