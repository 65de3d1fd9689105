/** Types of mysql2 that our interfaces name. */
export type { Pool as Mysql2Pool } from 'mysql2';
