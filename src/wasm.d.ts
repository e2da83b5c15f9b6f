/** The platform compiles what ends in .wasm when it loads it. */
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
