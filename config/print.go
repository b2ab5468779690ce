package config

import (
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"
)

// Print writes the configuration with its defaults in place and every secret
// as its reference. Load reads what it writes as the same configuration.
func Print(w io.Writer, c *Config) error {
	d, err := yaml.NewDumper(w, yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err != nil {
		return fmt.Errorf("cannot print the configuration: %w", err)
	}
	if err := d.Dump(rootKind().write(*c)); err != nil {
		return fmt.Errorf("cannot print the configuration: %w", err)
	}
	if err := d.Close(); err != nil {
		return fmt.Errorf("cannot print the configuration: %w", err)
	}
	return nil
}
