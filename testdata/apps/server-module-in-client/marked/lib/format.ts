import { pool } from './db'; // want "server-module-in-client"

export const price = (n: number) => `${n} €`;
export const ping = () => pool.query('select 1');
