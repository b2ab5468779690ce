package service

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/internal/credential"
)

// ClientHeader is the header in which an app server hands over the address of
// its caller.
const ClientHeader = "Claviger-Client"

// window is how far the header's time may be from ours, either way.
const window = 60 * time.Second

// maxClient is the longest header in bytes.
const maxClient = 256

// The reasons against a Claviger-Client header.
var (
	errClientForm = errors.New("service: Claviger-Client is not of the form addr=…;t=…;sig=…")
	errClientAddr = errors.New("service: Claviger-Client names no IP address")
	errClientTime = errors.New("service: Claviger-Client was signed more than 60 seconds away from now")
	errClientSig  = errors.New("service: Claviger-Client is not signed with a service key")
)

// SignClient makes the value of the Claviger-Client header for a caller's
// address. Name is that of the service key and may be empty.
//
// The value is addr=A;t=T;sig=S, with key=NAME; in front when there is a name.
// S is the unpadded base64url of HMAC-SHA256, keyed with the service key as it
// stands in the Authorization header, over five lines joined by "\n":
// "claviger-client", "1", NAME (an empty line without one), A and T as they
// stand in the header. T is the time in whole seconds since 1970. In Node:
//
//	import { createHmac } from "node:crypto";
//	function signClient(secret, name, addr, t = Math.floor(Date.now() / 1000)) {
//	  const text = ["claviger-client", "1", name, addr, t].join("\n");
//	  const sig = createHmac("sha256", secret).update(text).digest("base64url");
//	  return (name ? `key=${name};` : "") + `addr=${addr};t=${t};sig=${sig}`;
//	}
func SignClient(secret claviger.Secret, name string, addr netip.Addr, now time.Time) string {
	a, t := addr.String(), strconv.FormatInt(now.Unix(), 10)
	sig := base64.RawURLEncoding.EncodeToString(clientMAC(credential.Bytes(secret), name, a, t))
	s := "addr=" + a + ";t=" + t + ";sig=" + sig
	if name != "" {
		s = "key=" + name + ";" + s
	}
	return s
}

func clientMAC(secret []byte, name, addr, t string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("claviger-client\n1\n" + name + "\n" + addr + "\n" + t))
	return m.Sum(nil)
}

// clientFields are the fields of the header as they were sent.
type clientFields struct{ key, addr, t, sig string }

// parseClient reads key (optional), addr, t and sig, in this order and without
// spaces.
func parseClient(header string) (f clientFields, ok bool) {
	if len(header) > maxClient {
		return f, false
	}
	rest := header
	if after, there := strings.CutPrefix(rest, "key="); there {
		if f.key, rest, ok = strings.Cut(after, ";"); !ok || !name.MatchString(f.key) {
			return f, false
		}
	}
	if rest, ok = strings.CutPrefix(rest, "addr="); !ok {
		return f, false
	}
	if f.addr, rest, ok = strings.Cut(rest, ";t="); !ok {
		return f, false
	}
	f.t, f.sig, ok = strings.Cut(rest, ";sig=")
	return f, ok && len(f.sig) == 43 && credential.Canonical(f.sig)
}

// ClientAddr returns the address in a Claviger-Client header that a service key
// signed within 60 seconds of now, IPv4 addresses in their own form. The error
// is for the log; the address is then not known.
func (a *Authenticator) ClientAddr(header string, now time.Time) (netip.Addr, error) {
	f, ok := parseClient(header)
	if !ok {
		return netip.Addr{}, errClientForm
	}
	addr, err := netip.ParseAddr(f.addr)
	if err != nil || addr.Zone() != "" || addr.Unmap().IsUnspecified() {
		return netip.Addr{}, errClientAddr
	}
	t, ok := parseSeconds(f.t)
	if !ok {
		return netip.Addr{}, errClientForm
	}
	if d := now.Sub(time.Unix(t, 0)); d > window || d < -window {
		return netip.Addr{}, errClientTime
	}
	sig, err := base64.RawURLEncoding.DecodeString(f.sig)
	if err != nil {
		return netip.Addr{}, errClientForm
	}
	for i := range a.keys {
		k := &a.keys[i]
		if f.key != "" && f.key != k.Name {
			continue
		}
		if hmac.Equal(sig, clientMAC(credential.Bytes(k.Secret), f.key, f.addr, f.t)) {
			return addr.Unmap(), nil
		}
	}
	return netip.Addr{}, errClientSig
}

// parseSeconds reads a whole number as it is written: no sign, no leading zero.
func parseSeconds(s string) (int64, bool) {
	if len(s) == 0 || len(s) > 11 || s[0] == '0' {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
