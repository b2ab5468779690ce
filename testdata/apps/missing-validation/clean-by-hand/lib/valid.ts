export function validPrompt(value: unknown): value is string {
  return typeof value === 'string' && value.trim().length > 0 && value.length <= 2000;
}

export function assertShort(value: unknown): asserts value is string {
  if (typeof value !== 'string' || value.length > 300) throw new Error('Invalid input');
}
