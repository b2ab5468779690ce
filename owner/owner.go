// Package owner knows who created which object of the provider's account, under
// a pseudonym. Guard is the claviger.Owners that asks a store; Memory is a
// store for development, demonstrations and tests.
package owner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"claviger.dev/claviger"
)

// Store keeps owners. An owner is whatever text stands for a person outside the
// gateway; it is never their subject. The id alone tells objects apart: nobody
// else can own it under another kind.
//
// Every method may block until ctx ends and may be called concurrently. On
// error nothing was changed, and Guard denies.
type Store interface {
	// ClaimObjects makes owner the owner of objects, all of them or none. One
	// that is somebody else's gives an error that is claviger.ErrObjectTaken,
	// and stays theirs; of one that is owner's already only the tokens change,
	// to which those of the claim are added.
	ClaimObjects(ctx context.Context, owner string, objects []claviger.ObjectRef, at time.Time) error
	// OwnObjects says of each object whether it is owner's. What nobody
	// claimed is nobody's. tokens is the sum of what those that are owner's
	// bring, each counted once.
	OwnObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) (own []bool, tokens int64, err error)
	// ReleaseObjects forgets those of the objects that are owner's, with all of
	// owner's that name them as their parent, and the children of these.
	ReleaseObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) error
	// ListObjects gives a page of owner's objects of one kind in the order of
	// their claims.
	ListObjects(ctx context.Context, owner string, q claviger.ObjectQuery) (claviger.ObjectPage, error)
	// ForgetOwner forgets everything that is owner's, and returns how many
	// objects that were.
	ForgetOwner(ctx context.Context, owner string) (int64, error)
}

// Options are the parts of a Guard. All of them are required.
type Options struct {
	Store Store
	// Pseudonym names a caller by a keyed hash of tenant, realm and subject.
	// Where it gives nothing, everything is denied.
	Pseudonym func(claviger.Principal) string
	// Now is the clock for the order of objects.
	Now func() time.Time
}

// Guard implements claviger.Owners over a Store. It blocks as long as its store
// does, may be called concurrently, and on error it denies: a store that cannot
// answer is an *claviger.Error with CodeLimitsUnavailable, and nothing is taken
// to be anybody's.
type Guard struct{ o Options }

// New returns a Guard. It fails when a part is missing.
func New(o Options) (*Guard, error) {
	if o.Store == nil || o.Pseudonym == nil || o.Now == nil {
		return nil, errors.New("owner: Store, Pseudonym and Now are required")
	}
	return &Guard{o: o}, nil
}

var errNobody = errors.New("owner: the caller has no pseudonym")

// failed is what a caller hears of a store that did not do its work. An object
// that somebody else has already is no matter of time.
func failed(what string, err error) error {
	e := &claviger.Error{
		Code: claviger.CodeLimitsUnavailable, Detail: "Whose objects these are cannot be known at the moment",
		RetryAfter: time.Second, Err: fmt.Errorf("owner: %s: %w", what, err),
	}
	if errors.Is(err, claviger.ErrObjectTaken) {
		e.Code, e.Detail, e.RetryAfter = claviger.CodeInternal, "", 0
	}
	return e
}

func (g *Guard) owner(p claviger.Principal) (string, error) {
	if name := g.o.Pseudonym(p); name != "" {
		return name, nil
	}
	return "", &claviger.Error{Code: claviger.CodeInternal, Err: errNobody}
}

// Claim implements claviger.Owners. An object that somebody else owns gives an
// error that is claviger.ErrObjectTaken.
func (g *Guard) Claim(ctx context.Context, p claviger.Principal, o ...claviger.ObjectRef) error {
	owner, err := g.owner(p)
	if err != nil || len(o) == 0 {
		return err
	}
	if err := g.o.Store.ClaimObjects(ctx, owner, o, g.o.Now()); err != nil {
		return failed("claim", err)
	}
	return nil
}

// Check implements claviger.Owners.
func (g *Guard) Check(ctx context.Context, p claviger.Principal, o ...claviger.ObjectRef) (int64, error) {
	owner, err := g.owner(p)
	if err != nil || len(o) == 0 {
		return 0, err
	}
	own, tokens, err := g.o.Store.OwnObjects(ctx, owner, o)
	if err == nil && len(own) != len(o) {
		err = fmt.Errorf("%d answers for %d objects", len(own), len(o))
	}
	if err != nil {
		return 0, failed("check", err)
	}
	for i := range own {
		if !own[i] {
			return 0, &claviger.Error{
				Code: claviger.CodeNotFound, Param: o[i].Param,
				Err: errors.New("owner: an object is not known to be the caller's"),
			}
		}
	}
	return tokens, nil
}

// Release implements claviger.Owners. Children go however deep they are.
func (g *Guard) Release(ctx context.Context, p claviger.Principal, o ...claviger.ObjectRef) error {
	owner, err := g.owner(p)
	if err != nil || len(o) == 0 {
		return err
	}
	if err := g.o.Store.ReleaseObjects(ctx, owner, o); err != nil {
		return failed("release", err)
	}
	return nil
}

// List implements claviger.Owners. Pages with Before and without After end right
// before that id, and their More says that there are others in front.
func (g *Guard) List(ctx context.Context, p claviger.Principal, q claviger.ObjectQuery) (claviger.ObjectPage, error) {
	owner, err := g.owner(p)
	if err != nil {
		return claviger.ObjectPage{}, err
	}
	page, err := g.o.Store.ListObjects(ctx, owner, q)
	if err != nil {
		return claviger.ObjectPage{}, failed("list", err)
	}
	return page, nil
}

// Forget forgets everything that p owns, and returns how many objects that
// were. It is for erasure; nothing is deleted at the provider.
func (g *Guard) Forget(ctx context.Context, p claviger.Principal) (int64, error) {
	owner, err := g.owner(p)
	if err != nil {
		return 0, err
	}
	n, err := g.o.Store.ForgetOwner(ctx, owner)
	if err != nil {
		return 0, failed("forget", err)
	}
	return n, nil
}
