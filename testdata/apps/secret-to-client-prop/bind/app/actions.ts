'use server';
export async function subscribe(token: string, form: FormData) {
  await fetch('https://mail.example.com', { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: String(form.get('email')) });
}
