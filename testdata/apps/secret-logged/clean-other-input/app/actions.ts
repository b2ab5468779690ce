'use server';
export async function rename(name: string) {
  console.log('rename', name);
}
