export const sign = (text: string) => text + process.env.SIGNING_SECRET;
export const label = 'x';
