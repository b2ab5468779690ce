//go:build !linux

package app

import (
	"errors"

	"claviger.dev/claviger/config"
)

// keyProcessHere says that this system can have no key process.
const keyProcessHere = false

var errNoKeyProcess = errors.New("this needs Linux")

func hardenKeyProcess() error { return errNoKeyProcess }

func confineKeyProcess(*config.Config, string) (string, error) { return "", errNoKeyProcess }

func confinement(*config.Config) string { return "none" }
