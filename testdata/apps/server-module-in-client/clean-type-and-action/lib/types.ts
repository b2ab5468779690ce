export interface Settings { key: string }
export const read = (): Settings => ({ key: process.env.OPENAI_API_KEY ?? '' });
