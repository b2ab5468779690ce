package app

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

type blocksCommand struct {
	databaseFlags
	Format string `help:"table or json." enum:"table,json" default:"table"`
}

// Run lists the blocks that hold.
func (c blocksCommand) Run(ctx context.Context, env Environment) error {
	d, err := c.open(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	all, err := d.Blocks(ctx)
	if err != nil {
		return badUsage(err)
	}
	var list []claviger.Block
	for _, b := range all {
		if b.Until.IsZero() || b.Until.After(time.Now()) {
			list = append(list, b)
		}
	}
	if c.Format == "json" {
		return writeBlocksJSON(env.Stdout, list)
	}
	if len(list) == 0 {
		fmt.Fprintln(env.Stderr, "Nobody is blocked.")
		return nil
	}
	t := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SCOPE\tNAME\tSINCE\tUNTIL\tSESSIONS BEFORE\tREASON")
	for _, b := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", printable(string(b.Scope)), dash(printable(b.Name)), dash(instant(b.Since)),
			dash(instant(b.Until)), dash(instant(b.IssuedBefore)), dash(printable(b.Reason)))
	}
	return t.Flush()
}

// blockJSON is a block as it is printed. Times that are not set are left out.
type blockJSON struct {
	Scope          string `json:"scope"`
	Name           string `json:"name,omitempty"`
	Since          string `json:"since,omitempty"`
	Until          string `json:"until,omitempty"`
	SessionsBefore string `json:"sessions_before,omitempty"`
	Reason         string `json:"reason,omitempty"`
}

func writeBlocksJSON(w io.Writer, list []claviger.Block) error {
	out := make([]blockJSON, 0, len(list))
	for _, b := range list {
		out = append(out, blockJSON{string(b.Scope), b.Name, instant(b.Since), instant(b.Until), instant(b.IssuedBefore), b.Reason})
	}
	return writeJSON(w, out)
}

func writeJSON(w io.Writer, v any) error {
	b, err := jsonx.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
