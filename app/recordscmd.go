package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/upstream"
)

type recordsCommand struct {
	Export recordsExport `cmd:"" help:"Print what is kept about a person, as JSON."`
	Open   recordsOpen   `cmd:"" help:"Open the transcripts of an export, with the identity of a recipient."`
	Erase  recordsErase  `cmd:"" help:"Delete what is kept about a person, here and at the provider."`
}

// subject is a person by the id that an app knows.
type subject struct {
	Subject   string `help:"Whose id it is, as the session or ticket says it." xor:"who" required:"" placeholder:"ID"`
	Realm     string `help:"The realm of the subject." default:"app"`
	Pseudonym string `help:"The name in the log and in 'claviger usage', instead of --subject." xor:"who" required:"" placeholder:"NAME"`
}

func (s subject) name(ctx context.Context, d *database) (string, error) {
	return person{Sub: s.Subject, Realm: s.Realm, Pseudonym: s.Pseudonym}.name(ctx, d)
}

type recordsExport struct {
	databaseFlags
	subject
	Identity string `help:"Open the transcripts with this age identity. On a machine that runs a gateway, export without it and use 'records open' elsewhere." placeholder:"FILE"`
}

// Run prints everything that is kept under the person's pseudonym.
func (c recordsExport) Run(ctx context.Context, env Environment) error {
	d, err := c.open(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	name, err := c.name(ctx, d)
	if err != nil {
		return err
	}
	var r *reader
	if c.Identity != "" {
		if r, err = openIdentity(env, c.Identity); err != nil {
			return badUsage(err)
		}
	}
	kept, err := d.Kept(ctx, name)
	if err != nil {
		return badUsage(err)
	}
	out := jsonx.Append(nil, jsonx.Object(
		jsonx.Member{Name: "version", Value: jsonx.Int(1)},
		jsonx.Member{Name: "pseudonym", Value: jsonx.String(name)},
		jsonx.Member{Name: "usage", Value: keptJSON(kept.Usage)},
		jsonx.Member{Name: "objects", Value: keptJSON(kept.Objects)},
		jsonx.Member{Name: "blocks", Value: keptJSON(kept.Blocks)},
		jsonx.Member{Name: "calls", Value: keptJSON(kept.Calls)},
	))
	// Transcripts may be many, and follow one by one.
	if _, err := fmt.Fprintf(env.Stdout, `%s,"transcripts":[`, out[:len(out)-1]); err != nil {
		return err
	}
	if err := writeTranscripts(ctx, env.Stdout, d, name, r); err != nil {
		return badUsage(err)
	}
	if _, err = fmt.Fprint(env.Stdout, "]}\n"); err != nil {
		return err
	}
	return r.err()
}

func keptJSON(rows []claviger.KeptRow) jsonx.Value {
	list := make([]jsonx.Value, 0, len(rows))
	for _, r := range rows {
		members := make([]jsonx.Member, 0, len(r))
		for _, f := range r {
			members = append(members, jsonx.Member{Name: f.Name, Value: keptValue(f)})
		}
		list = append(list, jsonx.Object(members...))
	}
	return jsonx.Array(list...)
}

// keptValue writes a column; days and times are numbers in the database.
func keptValue(f claviger.KeptField) jsonx.Value {
	n, isNumber := f.Value.(int64)
	text, isText := f.Value.(string)
	switch {
	case isText:
		return jsonx.String(text)
	case !isNumber:
		return jsonx.Null()
	case f.Name == "day":
		return jsonx.String(time.Unix(n*24*60*60, 0).UTC().Format(time.DateOnly))
	case slices.Contains([]string{"created", "until", "since", "issued_before", "started"}, f.Name):
		return jsonx.String(time.UnixMicro(n).UTC().Format(time.RFC3339))
	}
	return jsonx.Int(n)
}

type recordsErase struct {
	databaseFlags
	subject
	DryRun bool `help:"Say what would be deleted, and delete nothing."`
}

// Run deletes the person's sums of usage, records of calls and transcripts, and their
// objects with what the provider keeps of them. What could not be deleted there stays theirs here, so that it can
// be tried again.
func (c recordsErase) Run(ctx context.Context, env Environment) error {
	d, err := c.open(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	name, err := c.name(ctx, d)
	if err != nil {
		return err
	}
	kept, err := d.Kept(ctx, name)
	if err != nil {
		return badUsage(err)
	}
	if c.DryRun {
		transcripts, err := d.CountTranscripts(ctx, name)
		if err != nil {
			return badUsage(err)
		}
		_, err = fmt.Fprintf(env.Stdout, "Nothing is deleted. There are %d sums of usage, %d objects, %d records of calls and %d transcripts.\n",
			len(kept.Usage), len(kept.Objects), len(kept.Calls), transcripts)
		return err
	}
	gone, left := c.objects(ctx, env, kept.Objects)
	if err := d.ReleaseObjects(ctx, name, gone); err != nil {
		return badUsage(err)
	}
	sums, err := d.EraseUsage(ctx, name)
	if err != nil {
		return badUsage(err)
	}
	records, err := d.EraseRecords(ctx, name, time.Now())
	if err != nil {
		return badUsage(err)
	}
	if err := d.Scrub(ctx); err != nil {
		fmt.Fprintf(env.Stderr, "warning: it is deleted, and the files may hold traces of it until they are written over: %v\n", err)
	}
	fmt.Fprintf(env.Stdout, "Erased: %d sums of usage, %d objects, %d records of calls, %d transcripts.\n", sums, len(gone), records.Calls, records.Transcripts)
	if len(kept.Blocks) > 0 {
		fmt.Fprintln(env.Stderr, "note: a block of this person stays until it ends or 'claviger unblock user'.")
	}
	if left > 0 {
		return badUsage(fmt.Errorf("%d objects are still at the provider and stay the person's; run it again once what is said above is mended", left))
	}
	return nil
}

// objects deletes objects at the provider, and returns those that are gone with
// those that go with them.
func (c recordsErase) objects(ctx context.Context, env Environment, rows []claviger.KeptRow) (gone []claviger.ObjectRef, left int) {
	if len(rows) == 0 {
		return nil, 0
	}
	at, err := c.provider(ctx, env)
	if err != nil {
		fmt.Fprintf(env.Stderr, "The provider cannot be asked: %v\n", err)
		return nil, len(rows)
	}
	defer at.account.CloseIdle()
	failed := map[string]bool{}
	for _, r := range rows {
		kind, id := r.Text("kind"), r.Text("id")
		if !upstream.HasObjects(kind) {
			continue
		}
		if err := at.remove(ctx, kind, id); err != nil {
			failed[id] = true
			fmt.Fprintf(env.Stderr, "%s %s: %v\n", printable(kind), printable(id), err)
		}
	}
	for _, r := range rows {
		if failed[r.Text("id")] || failed[r.Text("parent")] {
			left++
			continue
		}
		gone = append(gone, claviger.ObjectRef{Kind: r.Text("kind"), ID: r.Text("id")})
	}
	return gone, left
}

// provider is the account with the keys by which objects may have been made.
type provider struct {
	account *upstream.Account
	keys    []keys.PoolKey
}

func (c recordsErase) provider(ctx context.Context, env Environment) (*provider, error) {
	u, err := readKeys(ctx, env, locate(env, c.Config))
	if err != nil {
		return nil, err
	}
	p := &provider{}
	for _, k := range u.list {
		if k.Err != nil {
			// An object may be of this key's project alone.
			return nil, k.Err
		}
		p.keys = append(p.keys, k)
	}
	if len(p.keys) == 0 {
		return nil, errors.New("there is no upstream key")
	}
	p.account, err = u.account()
	return p, err
}

// remove deletes an object with whichever key knows it. One that none of them knows
// is gone already.
func (p *provider) remove(ctx context.Context, kind, id string) error {
	for _, k := range p.keys {
		there, err := p.account.DeleteObject(ctx, k.Secret, kind, id)
		if err != nil {
			return err
		}
		if there {
			return nil
		}
	}
	return nil
}
