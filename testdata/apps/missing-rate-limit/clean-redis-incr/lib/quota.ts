import { Redis } from '@upstash/redis';

const redis = Redis.fromEnv();

export async function withinQuota(user: string) {
  const key = `quota:${user}:${new Date().toISOString().slice(0, 13)}`;
  const n = await redis.incr(key);
  if (n === 1) await redis.expire(key, 3600);
  return { allowed: n <= 20, remaining: Math.max(0, 20 - n) };
}
