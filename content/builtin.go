package content

import (
	"strings"

	"claviger.dev/claviger/internal/detect"
)

// builtins are the patterns that come with the program. Each reads a text once,
// forwards, and looks at a bounded piece around what it stops at.
var builtins = []Pattern{
	{"email", hasEmail},
	{"phone", hasPhone},
	{"credit-card", hasCard},
	{"iban", hasIBAN},
	{"openai-key", hasOpenAIKey},
	{"secret", hasSecret},
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

func isAlnum(c byte) bool { return isDigit(c) || isUpper(c) || 'a' <= c && c <= 'z' }

// begins and ends report whether a word can begin or end at i.
func begins(s string, i int) bool { return i == 0 || !isAlnum(s[i-1]) }
func ends(s string, i int) bool   { return i == len(s) || !isAlnum(s[i]) }

// maxDomain is the most bytes of a domain name (RFC 1035).
const maxDomain = 255

// hasEmail looks for an address as people write it: what can end a local part, an
// @, and a domain of at least two labels whose last has two letters.
func hasEmail(s string) bool {
	for from := 0; ; {
		at := strings.IndexByte(s[from:], '@')
		if at < 0 {
			return false
		}
		at += from
		if at > 0 && localPart(s[at-1]) && isDomain(s[at+1:]) {
			return true
		}
		from = at + 1
	}
}

func localPart(c byte) bool {
	return isAlnum(c) || c >= 0x80 || strings.IndexByte("!#$%&'*+-/=?^_`{|}~\"", c) >= 0
}

// isDomain reports whether s begins with a domain name.
func isDomain(s string) bool {
	s = s[:min(len(s), maxDomain)]
	labels, label := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case isAlnum(c) || c >= 0x80 || c == '-' && label > 0:
			label++
			if labels > 0 && label >= 2 && !isDigit(c) && c != '-' {
				return true
			}
		case c == '.' && label > 0:
			labels, label = labels+1, 0
		default:
			return false
		}
	}
	return false
}

// hasPhone looks for international numbers, as +41 44 668 18 00, and for North
// American ones, as (212) 555-0142 and 212-555-0142.
func hasPhone(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '+' && begins(s, i):
			if international(s[i+1:]) {
				return true
			}
		case (isDigit(c) || c == '(') && begins(s, i):
			if american(s[i:]) {
				return true
			}
		}
	}
	return false
}

// The digits of an international number, its country included: at most those of
// E.164, and no fewer than the shortest that are in use.
const (
	leastPhone = 8
	mostPhone  = 15
)

// international reports whether s begins with what follows a plus in a number.
func international(s string) bool {
	if s == "" || s[0] == '0' || !isDigit(s[0]) {
		return false
	}
	digits, gap := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c):
			if digits++; digits > mostPhone {
				return false
			}
			gap = 0
		case strings.IndexByte(" -./()", c) >= 0 && gap < 3:
			gap++
		default:
			return digits >= leastPhone && (gap > 0 || ends(s, i))
		}
	}
	return digits >= leastPhone
}

// american reports whether s begins with a number of the North American plan: an
// area code, and seven digits that are set apart from it.
func american(s string) bool {
	for _, form := range []string{"(ddd) ddd-dddd", "(ddd)ddd-dddd", "ddd-ddd-dddd", "ddd.ddd.dddd", "ddd ddd dddd", "ddd ddd-dddd"} {
		if !fits(s, form) || !ends(s, len(form)) {
			continue
		}
		// Neither an area code nor an exchange begins with 0 or 1.
		area := strings.IndexByte(form, 'd')
		exchange := area + 3 + strings.IndexByte(form[area+3:], 'd')
		if s[area] >= '2' && s[exchange] >= '2' {
			return true
		}
	}
	return false
}

// fits reports whether s begins as form, where d stands for a digit.
func fits(s, form string) bool {
	if len(s) < len(form) {
		return false
	}
	for i := range len(form) {
		if form[i] == 'd' && !isDigit(s[i]) || form[i] != 'd' && s[i] != form[i] {
			return false
		}
	}
	return true
}

const mostCard = 19 // digits (ISO/IEC 7812)

// hasCard looks for the number of a payment card: of a length that the beginning
// allows, in groups or not, with a right last digit (Luhn).
func hasCard(s string) bool {
	for i := 0; i < len(s); i++ {
		if isDigit(s[i]) && begins(s, i) && cardAt(s[i:]) {
			return true
		}
	}
	return false
}

// cardAt reports whether s begins with the number of a card.
func cardAt(s string) bool {
	var digits [mostCard]byte
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case isDigit(c):
			if n == mostCard {
				return false
			}
			digits[n] = c - '0'
			n++
			if last := i+1 == len(s) || !isDigit(s[i+1]); last && ends(s, i+1) && isCard(digits[:n]) {
				return true
			}
		case (c == ' ' || c == '-') && i+1 < len(s) && isDigit(s[i+1]):
		default:
			return false
		}
	}
	return false
}

// isCard judges the digits of a number.
func isCard(d []byte) bool {
	if len(d) < 13 {
		return false
	}
	head := int(d[0])*10 + int(d[1])
	var length bool
	switch {
	case d[0] == 4: // Visa
		length = len(d) == 13 || len(d) == 16 || len(d) == 19
	case 51 <= head && head <= 55, 22 <= head && head <= 27: // Mastercard
		length = len(d) == 16
	case head == 34, head == 37: // American Express
		length = len(d) == 15
	case head == 30, head == 36, head == 38, head == 39: // Diners Club
		length = len(d) == 14 || len(d) >= 16
	case head == 35, head == 50, head >= 56 && head <= 69, head == 81, head == 82: // JCB, Maestro, Discover, UnionPay, RuPay
		length = len(d) >= 16
	}
	return length && luhn(d)
}

func luhn(d []byte) bool {
	sum := 0
	for i, double := len(d)-1, false; i >= 0; i, double = i-1, !double {
		x := int(d[i])
		if double {
			if x *= 2; x > 9 {
				x -= 9
			}
		}
		sum += x
	}
	return sum%10 == 0
}

// ibans are the countries of the IBAN registry with the length of their numbers.
const ibans = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22GI23GL18" +
	"GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23" +
	"PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30"

// ibanLengths is the length by the two letters of the country.
var ibanLengths = func() map[string]int {
	out := make(map[string]int, len(ibans)/4)
	for i := 0; i < len(ibans); i += 4 {
		out[ibans[i:i+2]] = int(ibans[i+2]-'0')*10 + int(ibans[i+3]-'0')
	}
	return out
}()

// hasIBAN looks for the number of a bank account: of the length that its country
// has, in groups or not, with right check digits (ISO 13616).
func hasIBAN(s string) bool {
	for i := 0; i+4 <= len(s); i++ {
		if isUpper(s[i]) && isUpper(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]) && begins(s, i) && ibanAt(s[i:]) {
			return true
		}
	}
	return false
}

func ibanAt(s string) bool {
	want := ibanLengths[s[:2]]
	if want == 0 {
		return false
	}
	var number [40]byte
	n := 0
	for i := 0; i < len(s) && n < want; i++ {
		c := s[i]
		switch {
		case isDigit(c) || isUpper(c):
			number[n] = c
			if n++; n == want {
				return ends(s, i+1) && mod97(number[:n]) == 1
			}
		case c == ' ' && n%4 == 0 && s[i-1] != ' ':
		default:
			return false
		}
	}
	return false
}

// mod97 is the remainder of the number whose first four characters stand at its
// end, letters being two digits.
func mod97(n []byte) int {
	rest := 0
	add := func(c byte) {
		if isDigit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	for _, c := range n[4:] {
		add(c)
	}
	for _, c := range n[:4] {
		add(c)
	}
	return rest
}

func hasOpenAIKey(s string) bool {
	if !strings.Contains(s, "sk-") {
		return false
	}
	for _, m := range detect.Find(s) {
		if m.Kind == detect.OpenAI || m.Kind == detect.OpenAIUnmarked {
			return true
		}
	}
	return false
}

// hasSecret looks for keys and tokens of any make. What is masked is none any
// more, and the ids of accounts open nothing.
func hasSecret(s string) bool {
	for _, m := range detect.Find(s) {
		if m.Kind != detect.Masked && m.Kind != detect.Account {
			return true
		}
	}
	return false
}
