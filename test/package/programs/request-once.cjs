// Preloaded into a snippet that starts a server: it listens where there is room, answers one request,
// and ends.
const { Server } = require('node:net');

const { listen } = Server.prototype;
Server.prototype.listen = function listenAnywhere(...args) {
  this.once('listening', async () => {
    const response = await fetch(`http://localhost:${this.address().port}/`);
    const text = await response.text();
    process.exit(response.ok && text.length > 0 ? 0 : 1);
  });
  return listen.call(this, 0, ...args.filter((argument) => typeof argument === 'function'));
};
