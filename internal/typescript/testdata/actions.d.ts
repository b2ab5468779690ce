// Written by 'claviger types' from the actions of claviger.yaml.
// Do not change it by hand: change the configuration, and run the command again.

import '@claviger/client';

/** Has children like itself. */
type EverythingInputTree = {
  value: string;
  children?: EverythingInputTree[];
};

type EverythingInputLeaf = 'oak' | 'elm';

type EverythingInputLeaf2 = 'oak' | 'elm';

declare module '@claviger/client' {
  interface Actions {
    assistant: {
      input: {
        messages: {
          role: 'user' | 'assistant';
          content: string;
        }[];
      };
      output: {
        text: string;
        finish: 'stop' | 'length' | 'refused';
        /** The tokens, where the provider reported them. */
        usage?: {
          input_tokens: number;
          output_tokens: number;
        };
      };
    };
    classify: {
      input: {
        text: string;
      };
      output: {
        data: {
          label: 'good' | 'bad';
          scores: {
            name: string;
            value: number;
          }[];
          note: string | null;
        };
        finish: 'stop';
        /** The tokens, where the provider reported them. */
        usage?: {
          input_tokens: number;
          output_tokens: number;
        };
      } | {
        data: null;
        finish: 'length' | 'refused';
        /** The tokens, where the provider reported them. */
        usage?: {
          input_tokens: number;
          output_tokens: number;
        };
      };
    };
    everything: {
      input: {
        kind: 'all';
        one?: 1;
        mixed?: 1 | 'a' | true | null | -2.5 | { 'a-b': [1, 'x'] };
        nested?: {
          deep: {
            er?: number;
          };
          [key: string]: unknown;
        };
        dictionary?: {
          [key: string]: number;
        };
        'by-pattern'?: {
          [key: string]: string | boolean;
        };
        open?: {
          a?: string;
          [key: string]: unknown;
        };
        nothing?: Record<string, never>;
        anything?: unknown;
        no?: never;
        list?: (string | null)[];
        loose?: unknown[];
        pair?: [string, number];
        rest?: [string, (number | null)?, ...boolean[]];
        atMost?: [string?];
        either?: {
          url: string;
        } | {
          id: number;
        };
        any?: string | string[];
        both?: {
          a: string;
        } & {
          b: number;
        };
        oneNeeded?: {
          a?: string;
          b?: string;
        } & ({
          a: {} | null;
        } | {
          b: {} | null;
        });
        tree?: EverythingInputTree;
        byAnchor?: EverythingInputLeaf;
        /** A reference with words of its own. */
        withMore?: EverythingInputLeaf2;
        lost?: unknown;
        guessed?: {
          a?: string;
          [key: string]: unknown;
        };
        $ok?: string;
        '2nd'?: string;
        unnamed: {} | null;
      };
      output: {
        text: string;
        finish: 'stop' | 'length' | 'refused';
      };
    };
    /** Answers in one paragraph. */
    'generate-text': {
      input: {
        /** What to ask. Not *\/ the end. */
        prompt: string;
        /**
         * How it sounds.
         * One of two.
         * @default "plain"
         */
        tone?: 'plain' | 'it\'s friendly';
        temperature?: number | null;
        /** @deprecated */
        short?: boolean;
      };
      output: {
        text: string;
        finish: 'stop' | 'length' | 'refused';
      };
    };
  }
}
