package app

import (
	"context"
	"fmt"
	"runtime/debug"

	"claviger.dev/claviger/config"
	"claviger.dev/claviger/keys"
)

type configCommand struct {
	Check  configCheckCommand  `cmd:"" help:"Validate the configuration and its secrets."`
	Print  configPrintCommand  `cmd:"" help:"Print the effective configuration, every secret as its reference."`
	Schema configSchemaCommand `cmd:"" help:"Print the JSON Schema of the configuration, for editors."`
}

type configCheckCommand struct{ configFlag }

// Run validates, and says so.
func (c configCheckCommand) Run(ctx context.Context, env Environment) error {
	src := locate(env, c.Config)
	in, err := newInstallation(ctx, env, src, quiet())
	if err != nil {
		return err
	}
	for _, n := range in.notes {
		fmt.Fprintln(env.Stderr, "note:", n)
	}
	for _, p := range in.problems(ctx) {
		fmt.Fprintln(env.Stderr, "not ready:", p)
	}
	fmt.Fprintln(env.Stderr, "The configuration is good.")
	return nil
}

type configPrintCommand struct{ configFlag }

// Run prints the effective configuration.
func (c configPrintCommand) Run(env Environment) error {
	cfg, err := locate(env, c.Config).load(env)
	if err != nil {
		return err
	}
	return config.Print(env.Stdout, cfg)
}

type configSchemaCommand struct{ configFlag }

// Run prints the schema. It reads no configuration.
func (configSchemaCommand) Run(env Environment) error {
	_, err := fmt.Fprintf(env.Stdout, "%s\n", config.Schema())
	return err
}

type secretCommand struct {
	New secretNewCommand `cmd:"" help:"Print a random secret for tickets, service keys or the identity key."`
}

type secretNewCommand struct{ configFlag }

// Run prints a secret.
func (secretNewCommand) Run(env Environment) error {
	s, err := keys.Generate()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(env.Stdout, s)
	return err
}

type versionCommand struct{ configFlag }

// Run prints the version.
func (versionCommand) Run(env Environment) error {
	_, err := fmt.Fprintln(env.Stdout, "claviger", version())
	return err
}

// version is the module's version as the linker knows it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
