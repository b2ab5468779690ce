package detect

import (
	"slices"
	"strings"
)

// publicPrefixes are the prefixes by which build tools know the variables that
// they copy into code for browsers, by their own documentation.
var publicPrefixes = []string{
	"NEXT_PUBLIC_", "VITE_", "REACT_APP_", "EXPO_PUBLIC_", "NUXT_PUBLIC_", "PUBLIC_", "GATSBY_", "VUE_APP_", "NG_APP_",
	"STORYBOOK_", "REDWOOD_ENV_", "PLASMO_PUBLIC_", "BUN_PUBLIC_", "SNOWPACK_PUBLIC_", "TARO_APP_", "WXT_", "UMI_APP_",
}

// PublicPrefixes are all of them, in capitals.
func PublicPrefixes() []string { return slices.Clone(publicPrefixes) }

// PublicPrefix returns the prefix by which a build tool would copy a variable of
// that name into code for browsers, or the empty string. Letter case does not
// count: some tools fold it.
func PublicPrefix(name string) string {
	for _, p := range publicPrefixes {
		if len(name) >= len(p) && strings.EqualFold(name[:len(p)], p) {
			return p
		}
	}
	return ""
}
