// One line on a terminal that says what runs now; nothing where output goes elsewhere.
const terminal = process.stderr.isTTY;
let position = '';

function clear() {
  if (terminal) process.stderr.write('\r\x1b[K');
}

export const progress = {
  at(done, all) {
    position = `${done + 1}/${all}`;
  },
  show(what) {
    clear();
    if (terminal) process.stderr.write(`${position} ${what}`.slice(0, process.stderr.columns - 1));
  },
  print(line) {
    clear();
    console.log(line);
  },
  end: clear,
};
