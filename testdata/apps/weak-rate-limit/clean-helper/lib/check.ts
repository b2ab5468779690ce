import { ratelimit } from './limit';

export async function tooMany(id: string) {
  const result = await ratelimit.limit(id);
  return !result.success;
}
