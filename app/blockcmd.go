package app

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/block"
	"claviger.dev/claviger/config"
)

type blockCommand struct {
	Everyone blockEveryone `cmd:"" help:"Serve nobody: the kill switch."`
	Plan     blockPlan     `cmd:"" help:"Keep out the callers of a plan."`
	User     blockUser     `cmd:"" help:"Keep out a person, however they sign in."`
	Service  blockService  `cmd:"" help:"Keep out a service key, and the tickets that it asked for."`
	Token    blockToken    `cmd:"" help:"Keep out one credential, by its own id (jti)."`
}

type unblockCommand struct {
	Everyone unblockEveryone `cmd:"" help:"End the block of everyone; others stay."`
	Plan     unblockPlan     `cmd:"" help:"End the block of a plan."`
	User     unblockUser     `cmd:"" help:"End the block of a person."`
	Service  unblockService  `cmd:"" help:"End the block of a service key."`
	Token    unblockToken    `cmd:"" help:"End the block of a credential."`
}

// blockFlags say for how long, for which credentials and why.
type blockFlags struct {
	databaseFlags
	For            *time.Duration `help:"When the block ends by itself, as 1h; without it, by 'unblock'." placeholder:"TIME"`
	SessionsBefore string         `help:"Keep out only who signed in before: a time as 2006-01-02T15:04:05Z, a day, or now." placeholder:"TIME|now"`
	Reason         string         `help:"Why, for other operators."`
}

// named is whom a command is about.
type named struct {
	Name string `arg:"" help:"The name."`
}

// person is a user by their id, or as they stand in the log.
type person struct {
	Sub       string `help:"Whose id it is, as the session or ticket says it." xor:"who" required:"" placeholder:"ID"`
	Realm     string `help:"The realm of the subject." default:"app"`
	Pseudonym string `help:"The name in the log and in 'claviger usage', instead of --sub." xor:"who" required:"" placeholder:"NAME"`
}

var pseudonymShape = regexp.MustCompile(`^[A-Za-z0-9_-]{22}$`)

func (p person) name(ctx context.Context, d *database) (string, error) {
	switch {
	case p.Pseudonym != "" && !pseudonymShape.MatchString(p.Pseudonym):
		return "", badUsage(errors.New("--pseudonym is 22 letters, digits, - and _, as in the log; an id goes to --sub"))
	case p.Pseudonym != "":
		return p.Pseudonym, nil
	case p.Sub == "":
		return "", badUsage(errors.New("--sub is empty"))
	}
	return d.pseudonym(ctx, p.Realm, p.Sub)
}

type (
	blockEveryone struct{ blockFlags }
	blockPlan     struct {
		blockFlags
		named
	}
	blockUser struct {
		blockFlags
		person
	}
	blockService struct {
		blockFlags
		named
	}
	blockToken struct {
		blockFlags
		named
	}
	unblockEveryone struct{ databaseFlags }
	unblockPlan     struct {
		databaseFlags
		named
	}
	unblockUser struct {
		databaseFlags
		person
	}
	unblockService struct {
		databaseFlags
		named
	}
	unblockToken struct {
		databaseFlags
		named
	}
)

// target finds the name of a block once the database is known.
type target func(ctx context.Context, d *database) (string, error)

func (n named) target(context.Context, *database) (string, error) { return n.Name, nil }

func nobody(context.Context, *database) (string, error) { return "", nil }

// Run puts the block.
func (c blockEveryone) Run(ctx context.Context, env Environment) error {
	return c.put(ctx, env, claviger.BlockEveryone, nobody)
}

// Run puts the block.
func (c blockPlan) Run(ctx context.Context, env Environment) error {
	return c.put(ctx, env, claviger.BlockPlan, c.target)
}

// Run puts the block.
func (c blockUser) Run(ctx context.Context, env Environment) error {
	return c.put(ctx, env, claviger.BlockUser, c.name)
}

// Run puts the block.
func (c blockService) Run(ctx context.Context, env Environment) error {
	return c.put(ctx, env, claviger.BlockService, c.target)
}

// Run puts the block.
func (c blockToken) Run(ctx context.Context, env Environment) error {
	return c.put(ctx, env, claviger.BlockToken, c.target)
}

// Run ends the block.
func (c unblockEveryone) Run(ctx context.Context, env Environment) error {
	return c.drop(ctx, env, claviger.BlockEveryone, nobody)
}

// Run ends the block.
func (c unblockPlan) Run(ctx context.Context, env Environment) error {
	return c.drop(ctx, env, claviger.BlockPlan, c.target)
}

// Run ends the block.
func (c unblockUser) Run(ctx context.Context, env Environment) error {
	return c.drop(ctx, env, claviger.BlockUser, c.name)
}

// Run ends the block.
func (c unblockService) Run(ctx context.Context, env Environment) error {
	return c.drop(ctx, env, claviger.BlockService, c.target)
}

// Run ends the block.
func (c unblockToken) Run(ctx context.Context, env Environment) error {
	return c.drop(ctx, env, claviger.BlockToken, c.target)
}

func (f blockFlags) put(ctx context.Context, env Environment, scope claviger.BlockScope, who target) error {
	b := claviger.Block{Scope: scope, Since: time.Now().UTC().Truncate(time.Second), Reason: f.Reason}
	if err := f.times(&b); err != nil {
		return badUsage(err)
	}
	d, err := f.open(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if b.Name, err = who(ctx, d); err != nil {
		return err
	}
	if err := block.Check(b); err != nil {
		return badUsage(err)
	}
	if err := d.PutBlock(ctx, b); err != nil {
		return badUsage(err)
	}
	if d.good && !configured(d.cfg, b) {
		fmt.Fprintf(env.Stderr, "note: the configuration has no %s of this name, so this keeps out nobody now\n", scope)
	}
	_, err = fmt.Fprintf(env.Stdout, "Blocked: %s, %s. A gateway on %s knows within a second.\n", nameOf(b), endOf(b), d.place)
	return err
}

// times reads when the block ends and which credentials it is about.
func (f blockFlags) times(b *claviger.Block) error {
	if f.For != nil {
		if *f.For <= 0 {
			return errors.New("--for is more than nothing")
		}
		b.Until = b.Since.Add(*f.For)
	}
	switch f.SessionsBefore {
	case "":
		return nil
	case "now":
		b.IssuedBefore = b.Since
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		t, err := time.Parse(layout, f.SessionsBefore)
		if err != nil {
			continue
		}
		if t.After(b.Since) {
			return errors.New("--sessions-before is in the future, so that nobody could sign in again; leave it out to keep out everybody")
		}
		b.IssuedBefore = t.UTC()
		return nil
	}
	return errors.New("--sessions-before is a time as 2006-01-02T15:04:05Z, a day as 2006-01-02, or now")
}

// configured reports whether a configuration knows the plan or the service key
// that a block names.
func configured(c *config.Config, b claviger.Block) bool {
	switch b.Scope {
	case claviger.BlockPlan:
		return slices.ContainsFunc(c.Plans, func(p config.Plan) bool { return p.Name == b.Name })
	case claviger.BlockService:
		for _, a := range c.Auth {
			if a.Service != nil && slices.ContainsFunc(a.Service.Keys, func(k config.ServiceKey) bool { return k.Name == b.Name }) {
				return true
			}
		}
		return false
	case claviger.BlockEveryone, claviger.BlockUser, claviger.BlockToken, claviger.BlockKey:
	}
	return true
}

func (f databaseFlags) drop(ctx context.Context, env Environment, scope claviger.BlockScope, who target) error {
	d, err := f.open(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	name, err := who(ctx, d)
	if err != nil {
		return err
	}
	b := claviger.Block{Scope: scope, Name: name}
	dropped, err := d.DropBlock(ctx, scope, name)
	if err != nil {
		return badUsage(err)
	}
	if !dropped {
		return badUsage(fmt.Errorf("%s is not blocked in %s; 'claviger blocks' lists who is", nameOf(b), d.place))
	}
	_, err = fmt.Fprintf(env.Stdout, "Unblocked: %s. A gateway on %s knows within a second.\n", nameOf(b), d.place)
	return err
}

func nameOf(b claviger.Block) string {
	if b.Name == "" {
		return string(b.Scope)
	}
	return string(b.Scope) + " " + printable(b.Name)
}

func endOf(b claviger.Block) string {
	text := "until 'claviger unblock'"
	if !b.Until.IsZero() {
		text = "until " + b.Until.Format(time.RFC3339)
	}
	if !b.IssuedBefore.IsZero() {
		text += ", for who signed in before " + b.IssuedBefore.Format(time.RFC3339)
	}
	return text
}
