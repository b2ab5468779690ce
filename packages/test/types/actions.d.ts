// As `claviger types` writes it.
import '@claviger/client';

declare module '@claviger/client' {
  interface Actions {
    'generate-text': {
      input: { prompt: string; tone?: 'plain' | 'friendly' };
      output: { text: string; finish: 'stop' | 'length' | 'refused' };
    };
    facts: { input: { topic: string }; output: { data: { title: string; size: number }; finish: 'stop' | 'length' | 'refused' } };
    assistant: {
      input: { messages: { role: 'user' | 'assistant'; content: string }[] };
      output: { text: string; finish: 'stop' | 'length' | 'refused' };
    };
  }
}
