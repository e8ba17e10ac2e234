/** Sets properties for good: programs in JavaScript, too, cannot assign them. */
export function setFixed<T extends object, K extends keyof T>(object: T, values: Pick<T, K>): void {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(object, name, { value, enumerable: true, writable: false });
  }
}
