package record

import (
	"bytes"
	"crypto/hpke"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// Why a transcript does not open.
var (
	// ErrKeyGone says that its key was deleted.
	ErrKeyGone = errors.New("its key is deleted, and nobody opens it any more")
	// ErrOtherRecipient says that it was sealed to other recipients.
	ErrOtherRecipient = errors.New("it was sealed to another recipient than the one of this identity")
	// ErrChanged says that a row is not what was stored: it was changed, or moved
	// to another owner, id, key or time.
	ErrChanged = errors.New("it is not what the gateway stored: it was changed, or moved from another place")
)

// Opener opens transcripts with the identities of recipients. It belongs on the
// machine of a person who may read, and on no gateway.
type Opener struct {
	identities []age.Identity
	// opened are the keys by what was sealed.
	opened map[string]hpke.PrivateKey
}

// NewOpener reads an identity file of age, as age-keygen writes it. Identities
// behind a passphrase or a plugin are not read. No error repeats what is in it.
func NewOpener(identity io.Reader) (*Opener, error) {
	ids, err := age.ParseIdentities(identity)
	if err != nil {
		return nil, fmt.Errorf("this is no identity file of age, as age-keygen writes it: %w", err)
	}
	return &Opener{identities: ids, opened: map[string]hpke.PrivateKey{}}, nil
}

// Open opens a transcript. The error is one of those above.
func (o *Opener) Open(t claviger.SealedTranscript, k claviger.TranscriptKey) (claviger.Transcript, error) {
	out := claviger.Transcript{RequestID: t.ID, Subject: t.Owner, Started: t.Created}
	if k.ID == "" || len(k.Sealed) == 0 {
		return out, ErrKeyGone
	}
	if k.ID != t.Key {
		return out, ErrChanged
	}
	private, err := o.key(&k)
	if err != nil {
		return out, err
	}
	plain, err := hpke.Open(private, kdf, aead, transcriptContext(&t), t.Sealed)
	if err != nil {
		return out, ErrChanged
	}
	var s said
	if err := jsonx.Unmarshal(plain, &s); err != nil {
		return out, ErrChanged
	}
	out.Realm, out.Plan, out.Endpoint, out.Action, out.Model = s.Realm, s.Plan, claviger.Endpoint(s.Endpoint), s.Action, s.Model
	out.Prompt, out.PromptCut, out.Answer, out.AnswerCut = []byte(s.Prompt), s.PromptCut, []byte(s.Answer), s.AnswerCut
	return out, nil
}

// key opens a key, once.
func (o *Opener) key(k *claviger.TranscriptKey) (hpke.PrivateKey, error) {
	about := keyContext(k)
	name := string(about) + string(k.Sealed)
	if private := o.opened[name]; private != nil {
		return private, nil
	}
	r, err := age.Decrypt(bytes.NewReader(k.Sealed), o.identities...)
	if _, other := errors.AsType[*age.NoIdentityMatchError](err); other {
		return nil, ErrOtherRecipient
	}
	if err != nil {
		return nil, ErrChanged
	}
	plain, err := io.ReadAll(io.LimitReader(r, 1<<16))
	seed, whole := bytes.CutPrefix(plain, about)
	if err != nil || !whole {
		return nil, ErrChanged
	}
	private, err := kem.NewPrivateKey(seed)
	if err != nil {
		return nil, ErrChanged
	}
	o.opened[name] = private
	return private, nil
}
