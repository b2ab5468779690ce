export * from './ai';
export { cn } from './cn';
