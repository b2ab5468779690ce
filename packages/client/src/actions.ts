/**
 * The actions of your app, by name. Empty until the file that `claviger types`
 * writes is part of the program: it adds a member for each action, so that a
 * wrong name or input does not compile.
 *
 * @example
 * declare module '@claviger/client' {
 *   interface Actions {
 *     tidy: { input: { prompt: string }; output: { text: string; finish: 'stop' | 'length' | 'refused' } };
 *   }
 * }
 */
// eslint-disable-next-line @typescript-eslint/no-empty-interface
export interface Actions {}

/** How an answer ended: by itself, at its longest length, or because the model declined. */
export type Finish = 'stop' | 'length' | 'refused';

/** What an action without an output schema answers. */
export interface TextOutput {
  text: string;
  finish: Finish;
  /** Only where the action shows it. */
  usage?: { input_tokens: number; output_tokens: number };
}

/** A name of an action: any text until {@link Actions} has members. */
export type ActionName = [keyof Actions] extends [never] ? string : Extract<keyof Actions, string>;

/** What an action takes. */
export type ActionInput<N extends ActionName> = N extends keyof Actions
  ? Actions[N] extends { input: infer I } ? I : never
  : Record<string, unknown>;

/** What an action answers. */
export type ActionOutput<N extends ActionName> = N extends keyof Actions
  ? Actions[N] extends { output: infer O } ? O : never
  : TextOutput & { data?: unknown };

/** One turn of a conversation. Instructions are the server's and no turn of it. */
export interface ChatMessage {
  role: 'user' | 'assistant';
  content: string;
}
