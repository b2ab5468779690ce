// Package process starts the programs that are measured, ends them for certain,
// and reads from /proc what they cost. It works on Linux alone.
package process
