import { useCallback } from 'react';
import { headers } from '@/lib/headers';

export function useCompletion() {
  const run = useCallback(async (prompt: string) => {
    const answer = await fetch('https://api.openai.com/v1/chat/completions', { method: 'POST', headers: headers(), body: JSON.stringify({ prompt }) }); // want "client-provider-call"
    return answer.json();
  }, []);
  return { run };
}
