/** What a tool tells the model where it cannot do what it is asked. */
export class ToolError extends Error {
  override readonly name = "ToolError";
}
