// Package keys reads secrets from where the configuration says they are, keeps
// the provider's keys and their health, and names people outside of the gateway
// by pseudonyms. Together with upstream and the authenticators it is one of the
// few places where secrets are bytes.
package keys

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/detect"
)

// The schemes of references.
const (
	schemeEnv     = "env"
	schemeFile    = "file"
	schemeCommand = "command"
)

var (
	errNoRef = errors.New("this is no reference to a secret: write env:NAME, file:PATH or command:PROGRAM ARGUMENTS; if the secret itself is written here, treat it as leaked and replace it")
	errName  = errors.New("what follows env: is no name of a variable: letters, digits and underscores, as env:OPENAI_API_KEY")
	errPath  = errors.New("the path or the program after the colon is missing, or holds a line break")

	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// ParseRef reads a reference to a secret: env:NAME, file:PATH or
// command:PROGRAM ARGUMENTS. The error never repeats s, which may be the secret
// itself.
func ParseRef(s string) (claviger.Ref, error) {
	if _, _, err := splitRef(claviger.Ref(s)); err != nil {
		return "", err
	}
	return claviger.Ref(s), nil
}

// splitRef takes a reference apart.
func splitRef(ref claviger.Ref) (scheme, rest string, err error) {
	scheme, rest, ok := strings.Cut(string(ref), ":")
	if !ok {
		return "", "", errNoRef
	}
	switch scheme {
	case schemeEnv:
		if !variable.MatchString(rest) {
			return "", "", errName
		}
		if p := detect.PublicPrefix(rest); p != "" {
			return "", "", fmt.Errorf("%s: a variable that begins with %s is copied into code for browsers: name it without the prefix, here and where it is set, and replace its value, which may be public already", rest, p)
		}
	case schemeFile:
		if strings.TrimSpace(rest) == "" || strings.ContainsAny(rest, "\x00\n\r") {
			return "", "", errPath
		}
	case schemeCommand:
		argv, err := splitCommand(rest)
		if err != nil {
			return "", "", err
		}
		if len(argv) == 0 || argv[0] == "" {
			return "", "", errPath
		}
	default:
		return "", "", errNoRef
	}
	return scheme, rest, nil
}
