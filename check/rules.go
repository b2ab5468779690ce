package check

// own are the rules of the rooms of this package. The analysers bring the rest.
var own = []Rule{
	{
		ID: "hardcoded-key", Mission: "M-C1", Severity: SeverityHigh, Title: "A key stands in a file",
		Help: "A key that stands in source code, a script, a notebook, a container file or a CI file is read by everyone who reads the repository, and cannot be rotated without a change of code. Real values of the project's own variables are found as well as the shapes of keys, also in base64 and in pieces that the code joins. Placeholders are told apart.",
		Fix:  "Rotate it, then read it at run time from a variable of the server's environment.",
	},
	{
		ID: "client-bundle-secret", Mission: "M-C2", Severity: SeverityCritical, Title: "A secret goes to browsers",
		Help: "Code that runs in a browser is public, and so is everything in public/. The key is out as soon as this is deployed.",
		Fix:  "Rotate it. Move the call to a Server Action or a Route Handler.",
	},
	{
		ID: "public-env-secret", Mission: "M-C2", Severity: SeverityHigh, Title: "A secret under a public prefix",
		Help: "Build tools copy variables with a public prefix (NEXT_PUBLIC_, VITE_, REACT_APP_ and others) into code for browsers. Values decide where there are any; where there is only a placeholder or none, the name does. Values that are meant for browsers, as publishable keys, are no findings.",
		Fix:  "Take the prefix away, and read the variable on the server.",
	},
	{
		ID: "build-output-secret", Mission: "M-C2", Severity: SeverityHigh, Title: "A secret in what the build made",
		Help: "The build wrote a secret into its output. In prerendered HTML or a payload it is delivered to everyone (critical); in code for the server it is in every copy of the image or the artefact (high).",
		Fix:  "Rotate it, and read it at run time instead of at build time.",
	},
	{
		ID: "source-map-secret", Mission: "M-C2", Severity: SeverityCritical, Title: "A secret in a source map",
		Help: "A source map holds the source code as it was, comments included. Where browsers can load it, so can everyone.",
		Fix:  "Rotate it, take it out of the source, and do not publish source maps.",
	},
	{
		ID: "key-in-git-history", Mission: "M-C7", Severity: SeverityCritical, Title: "A key in the git history",
		Help: "What was committed once is in every clone, also after it was deleted. Only rotating the key helps for certain; rewriting the history comes after that.",
		Fix:  "Rotate it. Then, if the history may be rewritten: git filter-repo.",
	},
	{
		ID: "env-committed", Mission: "M-C7", Severity: SeverityCritical, Title: "A .env file with secrets is committed",
		Help: "git tracks, or tracked, a .env file that holds secrets.",
		Fix:  "Rotate what is in it, git rm --cached it, and add it to .gitignore.",
	},
	{
		ID: "env-not-ignored", Mission: "M-C7", Severity: SeverityHigh, Title: "git does not ignore a .env file with secrets",
		Help: "The next 'git add .' commits it. git itself is asked, so that nested and negated patterns count as they do in git.",
		Fix:  "Add the file to .gitignore.",
	},
	{
		ID: "live-secret", Mission: "M-C2", Severity: SeverityCritical, Title: "A deployed site delivers a secret",
		Help: "A page, script, source map or well-known path of the site holds a key.",
		Fix:  "Rotate it, and find with 'claviger check' in the project where it comes from.",
	},
	{
		ID: "live-open-relay", Mission: "M-C4", Severity: SeverityCritical, Title: "A deployed endpoint answers strangers with AI",
		Help: "An endpoint ran a model for a request without any credential.",
		Fix:  "Ask for a signed-in user and a rate limit before the call.",
	},
	{
		ID: "live-headers", Mission: "M-C8", Severity: SeverityMedium, Title: "Headers of a deployed site open it",
		Help: "Cross-origin headers that let any site read answers with cookies, or caching of private answers.",
		Fix:  "Allow your own origins only, and send Cache-Control: private, no-store with private answers.",
	},
	{
		ID: "scan-incomplete", Mission: "M-C7", Severity: SeverityLow, Title: "Something could not be looked at",
		Help: "A file could not be read, is too large, or a part of the history is missing. What nobody looked at is not called clean: the exit code is 3 where nothing else was found.",
		Fix:  "Make it readable, or check it elsewhere.",
	},
	{
		ID: "parse-failed", Mission: "M-C3", Severity: SeverityLow, Title: "A source file could not be parsed",
		Help: "The file was searched for keys, but its code could not be judged.",
		Fix:  "Correct the syntax.",
	},
}
