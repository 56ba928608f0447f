"""Names for the demo's data: equipment, towns, streets, people, firms, and what is found."""

from inspections.models import SiteKind, Trade

_ALL_KINDS = tuple(SiteKind)

EQUIPMENT: dict[str, tuple[SiteKind, ...]] = {
    "Camera with flash": _ALL_KINDS,
    "Circuit tester": (SiteKind.school, SiteKind.sports_hall, SiteKind.pumping_station),
    "Crack width gauge": (SiteKind.footbridge, SiteKind.car_park),
    "Fall height rod": (SiteKind.playground, SiteKind.sports_hall),
    "Finger probe": (SiteKind.playground,),
    "Gas detector": (SiteKind.pumping_station, SiteKind.car_park),
    "Head and torso probes": (SiteKind.playground,),
    "Laser distance meter": _ALL_KINDS,
    "Lux meter": (SiteKind.school, SiteKind.sports_hall, SiteKind.car_park),
    "Moisture meter": (SiteKind.school, SiteKind.footbridge),
    "Spirit level": (SiteKind.footbridge, SiteKind.playground, SiteKind.school),
    "Torque wrench": (SiteKind.footbridge, SiteKind.playground, SiteKind.sports_hall),
}
"""What inspectors take along, and for which sites."""

TOWNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Aarhus": ("+45 86", ("Åboulevarden", "Møllevejen", "Skovvejen", "Havnegade", "Vestergade")),
    "Basel": (
        "+41 61",
        ("Feldbergstrasse", "Gerbergasse", "Rheingasse", "Missionsstrasse", "Birsweg"),
    ),
    "Bilbao": (
        "+34 94",
        ("Calle Ledesma", "Gran Vía", "Calle Iparraguirre", "Muelle de Marzana", "Calle Autonomía"),
    ),
    "Bologna": (
        "+39 051",
        ("Via Zamboni", "Via Saragozza", "Via dei Mille", "Via Galliera", "Via San Felice"),
    ),
    "Brno": ("+420 5", ("Veveří", "Křenová", "Údolní", "Lidická", "Pekařská")),
    "Cork": (
        "+353 21",
        ("Douglas Street", "Mardyke Walk", "Blarney Street", "Albert Quay", "Evergreen Road"),
    ),
    "Dundee": ("+44 1382", ("Nethergate", "Perth Road", "Seagate", "Lochee Road", "Albert Street")),
    "Freiburg": (
        "+49 761",
        ("Lindenstraße", "Habsburgerstraße", "Dreisamweg", "Basler Straße", "Schwarzwaldallee"),
    ),
    "Ghent": ("+32 9", ("Coupure Links", "Veldstraat", "Kouter", "Nieuwe Vaart", "Visserij")),
    "Graz": ("+43 316", ("Annenstraße", "Schillerplatz", "Keplerstraße", "Murgasse", "Leechgasse")),
    "Kraków": (
        "+48 12",
        (
            "ulica Długa",
            "ulica Kalwaryjska",
            "Bulwar Wiślany",
            "ulica Mogilska",
            "ulica Karmelicka",
        ),
    ),
    "Leeds": ("+44 113", ("Canal Street", "Roundhay Road", "Otley Road", "Kirkgate", "Mill Hill")),
    "Ljubljana": (
        "+386 1",
        (
            "Trubarjeva cesta",
            "Dunajska cesta",
            "Zaloška cesta",
            "Poljanska cesta",
            "Gradaška ulica",
        ),
    ),
    "Lyon": (
        "+33 4",
        (
            "Rue des Tanneurs",
            "Quai Rambaud",
            "Rue Garibaldi",
            "Cours Gambetta",
            "Montée de la Boucle",
        ),
    ),
    "Malmö": (
        "+46 40",
        ("Bergsgatan", "Kungsgatan", "Nobelvägen", "Västra Varvsgatan", "Limhamnsvägen"),
    ),
    "Porto": (
        "+351 22",
        (
            "Rua do Almada",
            "Rua de Cedofeita",
            "Cais da Ribeira",
            "Rua do Bonfim",
            "Avenida da Boavista",
        ),
    ),
    "Strasbourg": (
        "+33 3",
        (
            "Rue du Faubourg",
            "Quai des Pêcheurs",
            "Route du Polygone",
            "Avenue des Vosges",
            "Rue de Zurich",
        ),
    ),
    "Tampere": (
        "+358 3",
        ("Hämeenkatu", "Satakunnankatu", "Pispalantie", "Rantatie", "Yliopistonkatu"),
    ),
    "Utrecht": ("+31 30", ("Oudegracht", "Biltstraat", "Maliebaan", "Kanaalstraat", "Vechtdijk")),
    "Winterthur": (
        "+41 52",
        ("Steinberggasse", "Tösstalstrasse", "Wülflingerstrasse", "Museumstrasse", "Eulachweg"),
    ),
}
"""Town to the beginning of its phone numbers and five streets."""

PEOPLE = (
    "Agnieszka Nowak",
    "Aino Virtanen",
    "Ana Ferreira",
    "Anneke de Vries",
    "Astrid Lindqvist",
    "Beatrice Moretti",
    "Camille Roux",
    "Ciarán Murphy",
    "Davide Conti",
    "Elif Demirel",
    "Emma Sørensen",
    "Fiona Campbell",
    "Franziska Huber",
    "Georg Steiner",
    "Inês Carvalho",
    "Iñaki Etxeberria",
    "Jakub Svoboda",
    "Jeroen Bakker",
    "Katrin Vogel",
    "Lars Nilsson",
    "Luka Kovač",
    "Maja Zupan",
    "Manon Lefèvre",
    "Marek Wójcik",
    "Miriam Okafor",
    "Niamh O'Sullivan",
    "Oliver Hughes",
    "Petra Novotná",
    "Priya Raman",
    "Rasmus Holm",
    "Sanne Jansen",
    "Sofia Rossi",
    "Tomás Aguirre",
    "Ulrich Weber",
    "Veikko Laine",
    "Yusuf Demir",
)

SITE_WORDS: dict[SiteKind, str] = {
    SiteKind.playground: "playground",
    SiteKind.footbridge: "footbridge",
    SiteKind.school: "primary school",
    SiteKind.sports_hall: "sports hall",
    SiteKind.pumping_station: "pumping station",
    SiteKind.car_park: "car park",
}

FIRMS: tuple[tuple[str, Trade], ...] = (
    ("Bergmann Metallbau", Trade.metalwork),
    ("Carpinteria Ribera", Trade.carpentry),
    ("Charpentes Delmas", Trade.carpentry),
    ("Dachwerk Huber", Trade.roofing),
    ("De Groot Installatie", Trade.plumbing),
    ("Elektro Steiner", Trade.electrics),
    ("Ferreira Canalizações", Trade.plumbing),
    ("Hansen Tag og Tømrer", Trade.roofing),
    ("Idraulica Conti", Trade.plumbing),
    ("Kovinarstvo Zupan", Trade.metalwork),
    ("Lindqvist El", Trade.electrics),
    ("Murphy Groundworks", Trade.groundworks),
    ("Nowak Instalacje", Trade.electrics),
    ("O'Sullivan Roofing", Trade.roofing),
    ("Pioneer Paving", Trade.groundworks),
    ("Roux Terrassement", Trade.groundworks),
    ("Schlosserei Weber", Trade.metalwork),
    ("Svoboda Stavby", Trade.groundworks),
    ("Timmerwerk Jansen", Trade.carpentry),
    ("Toiture Lefèvre", Trade.roofing),
    ("Virtanen Sähkö", Trade.electrics),
    ("Wójcik Stal", Trade.metalwork),
    ("Yorkshire Joinery", Trade.carpentry),
    ("Zaloška Vodovod", Trade.plumbing),
)

_EVERYWHERE = (
    ("Entrance", "Signs are faded and hard to read", 1, 90),
    ("Entrance", "Paving slab has lifted; people may trip", 3, 240),
    ("Fence", "Two fence posts lean outwards", 2, 310),
    ("Fence", "Sharp wire ends at hand height", 4, 120),
    ("Paths", "Puddles stay after rain because the drain is blocked", 2, 180),
    ("Lighting", "Lamp flickers at dusk", 2, 140),
    ("Lighting", "Cover is missing and live parts can be touched", 5, 260),
    ("Emergency exit", "Emergency light does not come on", 4, 190),
)

FAULTS: dict[SiteKind, tuple[tuple[str, str, int, int], ...]] = {
    SiteKind.playground: (
        ("Swing", "Chain link is worn to half of its thickness", 4, 85),
        ("Swing", "Seat is cracked at the edge", 3, 60),
        ("Slide", "Bolt head stands out at the foot of the slide", 3, 25),
        ("Climbing frame", "Loose rung, second from the top", 4, 70),
        ("Sandpit", "Edge board is rotten and splinters", 2, 150),
        ("Fall protection", "Bark is thinner than 30 cm under the frame", 3, 420),
        *_EVERYWHERE,
    ),
    SiteKind.footbridge: (
        ("Handrail", "Loose rail on the north side", 3, 210),
        ("Deck", "Three planks are slippery with moss", 3, 130),
        ("Deck", "Plank gives way when stepped on", 5, 380),
        ("Bearing", "Bearing plate is rusty and dirt has piled up", 2, 900),
        ("Abutment", "Crack of 2 mm runs down from the corner", 4, 2600),
        ("Railing", "Paint peels off along the lower bar", 1, 340),
        *_EVERYWHERE,
    ),
    SiteKind.school: (
        ("Stairwell", "Handrail bracket is loose on the first floor", 3, 45),
        ("Roof", "Gutter has come down at the north corner", 3, 560),
        ("Boiler room", "Fire door does not close by itself", 4, 280),
        ("Classroom 12", "Window catch is broken", 2, 65),
        ("Corridor", "Fire extinguisher is past its test date", 3, 55),
        ("Yard", "Root has lifted the tarmac beside the bench", 2, 700),
        *_EVERYWHERE,
    ),
    SiteKind.sports_hall: (
        ("Floor", "Board has lifted by 4 mm near the goal", 3, 480),
        ("Wall bars", "Two wall bars turn in their sockets", 3, 95),
        ("Goal", "Goal is not fixed to the ground and can tip over", 5, 150),
        ("Changing room", "Tiles are loose above the shower", 2, 230),
        ("Ceiling", "Ball guard hangs on one screw", 4, 110),
        ("Stand", "Step edge has lost its strip", 2, 40),
        *_EVERYWHERE,
    ),
    SiteKind.pumping_station: (
        ("Pump 1", "Seal drips, about a cup in an hour", 2, 320),
        ("Pump 2", "Bearing runs hot, 78 °C at the housing", 4, 1450),
        ("Shaft", "Ladder rung is rusted through", 5, 270),
        ("Control cabinet", "Filter mat is clogged", 1, 30),
        ("Level sensor", "Shows 12 cm too much", 3, 410),
        ("Hatch", "Lock is stiff and needs two people", 2, 75),
        *_EVERYWHERE,
    ),
    SiteKind.car_park: (
        ("Level 2", "Concrete has flaked off and bars are visible", 4, 3100),
        ("Ramp", "Surface is worn smooth", 3, 1200),
        ("Barrier", "Barrier stops at half height", 2, 260),
        ("Stairs", "Nosing is loose on the sixth step", 3, 50),
        ("Roof level", "Parapet moves when pushed", 5, 1900),
        ("Bay 34", "Lines can no longer be seen", 1, 80),
        *_EVERYWHERE,
    ),
}
"""For each kind of site: area, note, severity and usual cost in euros."""

REMARKS = (
    "Nothing else to report.",
    "Caretaker was present and has the list.",
    "Access from the rear only; the key is at the town hall.",
    "Cleaned since the last visit, in good order.",
    "Spoke with the contact person; repairs are on the budget for next year.",
    "Could not enter one room, to be looked at next time.",
)
