/**
 * A class whose objects are called like functions, as Python's `__call__` allows: the constructor returns a function that
 * has the class for its prototype, and the fields of a subclass are set on that function.
 */
class Base {
  constructor(call: (...args: never[]) => unknown) {
    // biome-ignore lint/correctness/noConstructorReturn: the object is the function
    return Object.setPrototypeOf(call, new.target.prototype) as Base
  }
}
Object.setPrototypeOf(Base.prototype, Function.prototype)

export { Base as Callable }
