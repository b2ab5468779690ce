package authjs

import (
	"fmt"

	"claviger.dev/claviger/authn/internal/credential"
)

// readCookie returns the value of the session cookie, in chunks or whole, empty
// when there is none.
func readCookie(lines []string, name string) (string, error) {
	token, err := credential.Chunked(lines, name, maxToken)
	if err != nil {
		return "", fmt.Errorf("authjs: %w", err)
	}
	return token, nil
}

// isUUID recognises the id of a database session, which is all that the cookie
// holds when the app keeps its sessions itself.
func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}
