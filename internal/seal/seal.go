// Package seal holds the two tokens that only this module can name. A secret
// opens only to a holder of Reveal, and a call becomes authorized only in the
// hands of a holder of Mint. Linter rules and a test list who may hold which.
package seal

// Reveal is the permission to read the bytes of a secret. Its zero value
// permits nothing.
type Reveal struct{ granted bool }

// Mint is the permission to declare a call authorized. Its zero value permits
// nothing.
type Mint struct{ granted bool }

// ForReveal returns the permission to read secrets. Only keys, upstream,
// authn/*, redact, store/* and record may call it.
func ForReveal() Reveal { return Reveal{granted: true} }

// ForMint returns the permission to authorize calls. Only gateway may call it.
func ForMint() Mint { return Mint{granted: true} }

// Granted reports whether the permission came from ForReveal.
func (r Reveal) Granted() bool { return r.granted }

// Granted reports whether the permission came from ForMint.
func (m Mint) Granted() bool { return m.granted }
