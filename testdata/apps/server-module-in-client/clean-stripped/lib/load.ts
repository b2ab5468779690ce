import { pool } from './db';
export const load = async () => (await pool.query('select title from posts')).rows;
