/** What of a request depends on who is asked, not on what is said. */
export interface Dress {
  /** Output tokens where the caller sets no cap and the dialect wants one. */
  readonly maxTokens: number;
  /** The provider is OpenAI itself, whose newer words the compatible ones do not know. */
  readonly openai: boolean;
}
