/** The package ships no types. What is used of it: its parser, of which `toNumbered` is made, too. */
declare module 'named-placeholders' {
  interface Compiler {
    /**
     * The texts between the placeholders, and the placeholders: a name, or a number for a `?`. The
     * last text is left out where nothing follows the last placeholder, both lists where there is none.
     */
    parse(this: void, query: string): [parts: string[], placeholders?: (string | number)[]];
  }
  function createCompiler(config: { readonly cache: false }): Compiler;
  export = createCompiler;
}
