package forward

import (
	"errors"
	"net/http"
	"net/netip"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
)

// The ways in which a credential is presented.
const (
	bearerWay = iota
	cookieWay
)

var (
	errLarge   = errors.New("the credential is larger than 32 KiB")
	errRefused = errors.New("the app says that this credential is not good")
	errNobody  = errors.New("the app says that nobody has signed in with this bearer")
	errFailed  = errors.New("the app gave no good answer a moment ago")
)

// presented is a caller's credential as the app is shown it.
type presented struct {
	value string
	way   uint8
	key   credential.Key
	from  netip.Prefix
}

// present takes the credential out of a request, empty where there is none.
func (a *Authenticator) present(r *http.Request) (presented, error) {
	if token, ok := credential.Bearer(r); ok && len(token) >= minToken {
		return named(token, bearerWay)
	}
	var room [1 << 10]byte
	sent := room[:0]
	var err error
	for _, name := range a.cookies {
		if sent, err = credential.AppendChunked(sent, r.Header["Cookie"], name, maxSent); err != nil {
			return presented{}, err
		}
	}
	if len(sent) == 0 {
		return presented{}, nil
	}
	return named(string(sent), cookieWay)
}

func named(value string, way uint8) (presented, error) {
	if len(value) > maxSent {
		return presented{}, errLarge
	}
	return presented{value: value, way: way, key: credential.KeyOf(value, way)}, nil
}

// put places the credential, and nothing else of the caller, into a request.
func (c *presented) put(r *http.Request) {
	if c.way == bearerWay {
		r.Header["Authorization"] = []string{"Bearer " + c.value}
		return
	}
	r.Header["Cookie"] = []string{c.value}
}

// What is remembered in place of a caller.
var refused, nobody, failed = &claviger.Principal{}, &claviger.Principal{}, &claviger.Principal{}

// answer gives what was said about the credential to a caller.
func (c *presented) answer(said *claviger.Principal) (claviger.Principal, error) {
	switch said {
	case refused:
		return claviger.Principal{}, credential.Refuse(errRefused)
	case nobody:
		if c.way == cookieWay {
			return claviger.Principal{}, claviger.ErrNoCredential
		}
		return claviger.Principal{}, credential.Refuse(errNobody)
	case failed:
		return claviger.Principal{}, unavailable(errFailed)
	}
	return *said, nil
}
