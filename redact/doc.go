// Package redact keeps secrets from going where they must not: a Tripwire
// stops answers that hold one of our own keys, and NewHandler scrubs the log.
package redact
