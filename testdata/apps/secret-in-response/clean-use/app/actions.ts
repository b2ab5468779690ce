'use server';
import { createClient } from '@supabase/supabase-js';

const db = createClient(process.env.SUPABASE_URL!, process.env.SUPABASE_SERVICE_ROLE_KEY!);

export async function posts() {
  const { data } = await db.from('posts').select('id,title');
  return data;
}
