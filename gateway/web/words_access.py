"""What the page says where one comes in, and where it refuses: the part of the words that goes with the guard."""

ACCESS: dict[str, tuple[str, str]] = {
    "login.title": ("Connexion", "Log in"),
    "login.password": ("Mot de passe", "Password"),
    "login.do": ("Se connecter", "Log in"),
    "login.wrong": ("Ce n’est pas le bon mot de passe.", "This is not the right password."),
    "login.forgotten": ("Mot de passe oublié ?", "Password forgotten?"),
    "login.code": ("En choisir un autre avec un code à usage unique", "Choose another one with a one-time code"),
    "first.title": ("Choisir le mot de passe", "Choose the password"),
    "first.about": (
        (
            "Sur la passerelle, « sudo gateway passwd » affiche un code. Il sert une fois, pendant 24 heures, et "
            "remplace aussi un mot de passe oublié."
        ),
        (
            "On the gateway, “sudo gateway passwd” shows a code. It can be used once, within 24 hours, and replaces a "
            "forgotten password too."
        ),
    ),
    "first.code": ("Code à usage unique", "One-time code"),
    "first.do": ("Choisir et se connecter", "Choose it and log in"),
    "first.wrong": (
        (
            "Ce code n’est pas valable : il a été mal tapé, déjà utilisé, remplacé ou a plus de 24 heures. Au besoin, "
            "demandez-en un autre avec « sudo gateway passwd »."
        ),
        (
            "This code is not valid: it was mistyped, already used, replaced, or is over 24 hours old. If need be, "
            "make another one with “sudo gateway passwd”."
        ),
    ),
    "password.title": ("Changer de mot de passe", "Change the password"),
    "password.about": (
        "Tous les appareils connectés, sauf celui-ci, devront se connecter à nouveau.",
        "Every device that is logged in, except this one, will have to log in again.",
    ),
    "password.current": ("Mot de passe actuel", "Current password"),
    "password.new": ("Nouveau mot de passe", "New password"),
    "password.again": ("Le même, encore une fois", "The same once more"),
    "password.do": ("Changer", "Change it"),
    "password.rules": (
        "Au moins {shortest} caractères, quels qu’ils soient : quelques mots sans lien entre eux conviennent bien.",
        "At least {shortest} characters, whichever: a few words that have nothing to do with each other do well.",
    ),
    "password.wrong": ("Ce n’est pas le mot de passe actuel.", "This is not the current password."),
    "password.differ": (
        "Les deux nouveaux mots de passe ne sont pas les mêmes : tapez-les encore une fois.",
        "The two new passwords are not the same: type them once more.",
    ),
    "password.short": (
        "Ce mot de passe est trop court : il en faut {shortest} caractères au moins. Ajoutez un mot ou deux.",
        "This password is too short: at least {shortest} characters are needed. Add a word or two.",
    ),
    "password.long": (
        "Ce mot de passe est trop long : 256 caractères au plus.",
        "This password is too long: 256 characters at most.",
    ),
    "password.repeated": (
        "Ce mot de passe se répète : on le devine vite. Prenez quelques mots sans lien entre eux.",
        "This password repeats itself and is soon guessed. Take a few words that have nothing to do with each other.",
    ),
    "password.common": (
        (
            "Ce mot de passe est fait de mots que tout le monde essaie, de touches voisines ou du nom du lieu. Prenez "
            "quelques mots sans lien entre eux."
        ),
        (
            "This password is made of words that everybody tries, of neighbouring keys or of the name of the place. "
            "Take a few words that have nothing to do with each other."
        ),
    ),
    "guard.400": ("Demande refusée", "Request refused"),
    "guard.400.text": (
        "La demande n’est pas de celles que cette page comprend. Revenez en arrière et essayez encore.",
        "The request is none that this page understands. Go back and try again.",
    ),
    "guard.host": (
        (
            "Cette passerelle ne répond pas sous ce nom. Ouvrez-la par son adresse, ou par le nom de la machine suivi "
            "de .local."
        ),
        "This gateway does not answer to this name. Open it by its address, or by the machine’s name and .local.",
    ),
    "guard.401": ("Connexion nécessaire", "Log in first"),
    "guard.401.text": (
        "La session est terminée : connectez-vous, puis recommencez.",
        "The session is over: log in, then do it again.",
    ),
    "guard.403": ("Demande refusée", "Request refused"),
    "guard.403.text": ("Cela n’est pas permis ici.", "This is not permitted here."),
    "guard.origin": (
        (
            "La demande vient d’une autre page que celles de la passerelle : rien n’a été fait. Ouvrez la passerelle "
            "et recommencez ici."
        ),
        "The request comes from a page that is not the gateway’s: nothing was done. Open the gateway and do it here.",
    ),
    "guard.token": (
        (
            "Le formulaire n’est plus valable : rien n’a été fait. Rechargez la page et recommencez ; les cookies "
            "doivent être permis."
        ),
        (
            "The form is no longer valid: nothing was done. Load the page again and do it once more; cookies must be "
            "allowed."
        ),
    ),
    "guard.404": ("Page introuvable", "No such page"),
    "guard.404.text": ("Il n’y a rien à cette adresse.", "There is nothing at this address."),
    "guard.405": ("Demande refusée", "Request refused"),
    "guard.405.text": (
        "Cette adresse ne s’utilise pas ainsi. Revenez à la page et utilisez ses boutons.",
        "This address is not used like that. Go back to the page and use its buttons.",
    ),
    "guard.408": ("Trop lent", "Too slow"),
    "guard.408.text": (
        "La demande n’est pas arrivée en entier à temps. Vérifiez le réseau et essayez encore.",
        "The request did not arrive whole in time. Check the network and try again.",
    ),
    "guard.413": ("Trop grand", "Too large"),
    "guard.413.text": (
        "Ce qui a été envoyé dépasse 64 ko. Envoyez moins.",
        "What was sent is over 64 kB. Send less.",
    ),
    "guard.415": ("Demande refusée", "Request refused"),
    "guard.415.text": (
        "Seuls les formulaires de cette page sont acceptés (application/x-www-form-urlencoded).",
        "Only the forms of this page are taken (application/x-www-form-urlencoded).",
    ),
    "guard.429.text": (
        "Trop d’essais manqués : le prochain est possible dans {minutes} min.",
        "Too many wrong attempts: the next one is possible in {minutes} min.",
    ),
    "guard.431": ("Demande refusée", "Request refused"),
    "guard.431.text": (
        "L’en-tête de la demande dépasse 16 ko. Effacez les cookies de cette page et essayez encore.",
        "The head of the request is over 16 kB. Delete the cookies of this page and try again.",
    ),
    "guard.500": ("Erreur de la passerelle", "A mistake in the gateway"),
    "guard.500.text": (
        "La page a rencontré une erreur, qui est notée dans son journal. Les compteurs sont lus comme avant.",
        "The page has met with a mistake, which is in its log. The meters are read as before.",
    ),
    "guard.503": ("Indisponible un instant", "Not available for a moment"),
    "guard.503.text": ("Essayez encore dans un instant.", "Try again in a moment."),
    "guard.busy": (
        "Trop de connexions à la fois. Essayez encore dans quelques secondes.",
        "Too many are logging in at once. Try again in a few seconds.",
    ),
    "guard.store": (
        "La page ne peut pas lire ou écrire sur le disque : il est peut-être plein. Son journal en dit plus.",
        "The page cannot read or write the disk, which may be full. Its log says more.",
    ),
}
"""As the table of `words`, of which it is a part."""
