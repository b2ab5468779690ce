// Package gatetest holds the conformance suites of the seams: whoever
// implements one of the interfaces of package claviger runs its suite. It is
// for tests alone.
package gatetest
